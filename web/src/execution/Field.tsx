// Fields of forms that are made from schemas.

import { type ClipboardEvent, type ReactElement, useId, useState } from "react";
import { choicesOf, hasMask, hasSecrets, isSecret, isSecretList, partsOf, pathOf, type Schema, textOf } from "./fields";
import { SecretList } from "./SecretList";

export interface FieldProps {
  /** The name of the field in its form. */
  readonly path: string;
  readonly label: string;
  readonly schema: Schema | undefined;
  readonly value: unknown;
}

/** One field with its label, what it is about, and its default as a hint; an object with secrets has a field for each part. */
export function Field(props: FieldProps): ReactElement {
  const { path, label, schema, value } = props;
  const id = useId();
  const about = schema?.["description"];
  const described = typeof about === "string" && about !== label ? <small>{about}</small> : null;
  const title = `${label}${schema?.["required"] === true ? " *" : ""}`;
  const parts = partsOf(schema, value);
  if (parts !== null) {
    return (
      <fieldset>
        <legend>{title}</legend>
        {described}
        {parts.map((part) => (
          <Field
            key={part.name}
            path={pathOf(path, part.name)}
            label={part.name}
            schema={part.schema}
            value={part.value}
          />
        ))}
      </fieldset>
    );
  }
  if (isSecretList(schema, value)) {
    return (
      <fieldset>
        <legend>{title}</legend>
        {described}
        <SecretList path={path} label={label} value={value} />
      </fieldset>
    );
  }
  return (
    <label htmlFor={id}>
      {title}
      {described}
      <Control {...props} id={id} />
    </label>
  );
}

interface ControlProps extends FieldProps {
  readonly id: string;
}

function Control(props: ControlProps): ReactElement {
  const { path, schema, value, id } = props;
  const choices = choicesOf(schema, value);
  const fallback = textOf(schema?.["default"]);
  if (choices !== null) {
    return (
      <select id={id} name={path} defaultValue={textOf(value)}>
        <option value="">{fallback === "" ? "–" : `default: ${fallback}`}</option>
        {choices.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    );
  }
  if (isSecret(schema)) return <Secret {...props} />;
  if (hasSecrets(schema)) return <Concealed {...props} />;
  return <textarea id={id} name={path} defaultValue={textOf(value)} placeholder={fallback} />;
}

function focus(element: HTMLElement | null): void {
  element?.focus();
}

/** A secret. What stands for the one that is known is a hint, and no text: it stays unless something is typed. */
function Secret({ path, schema, value, id }: ControlProps): ReactElement {
  const masked = hasMask(value);
  const [text, setText] = useState<string | null>(null);
  const [long, setLong] = useState(false);
  const common = {
    id,
    name: path,
    value: text ?? (masked ? "" : textOf(value)),
    placeholder: masked ? textOf(value) : textOf(schema?.["default"]),
    autoComplete: "new-password",
    spellCheck: false,
    ...(text === null ? { "data-untouched": "" } : {}),
  };
  if (long) {
    return <textarea {...common} className="concealed" ref={focus} onChange={(event) => setText(event.target.value)} />;
  }
  const paste = (event: ClipboardEvent<HTMLInputElement>): void => {
    const pasted = event.clipboardData.getData("text/plain");
    // A field of one line would join the lines of a private key.
    if (!/[\r\n]/.test(pasted.trimEnd())) return;
    event.preventDefault();
    const { selectionStart, selectionEnd, value: before } = event.currentTarget;
    setText(before.slice(0, selectionStart ?? before.length) + pasted + before.slice(selectionEnd ?? before.length));
    setLong(true);
  };
  return <input {...common} type="password" onPaste={paste} onChange={(event) => setText(event.target.value)} />;
}

/** JSON with secrets somewhere inside: its characters are dots until its reader wants to see them. */
function Concealed({ path, schema, value, id }: ControlProps): ReactElement {
  const [seen, setSeen] = useState(false);
  return (
    <>
      <textarea
        id={id}
        name={path}
        className={seen ? "" : "concealed"}
        autoComplete="off"
        spellCheck={false}
        defaultValue={textOf(value)}
        placeholder={textOf(schema?.["default"])}
      />
      <button type="button" aria-pressed={seen} onClick={() => setSeen(!seen)}>
        show
      </button>
    </>
  );
}
