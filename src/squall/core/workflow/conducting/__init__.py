"""A workflow as it runs: state, facts and the decisions of its conductor."""
