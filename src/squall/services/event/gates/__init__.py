"""Rules over time: throttles, correlations, absences, held matches and silences."""
