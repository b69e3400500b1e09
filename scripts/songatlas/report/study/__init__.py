"""The reference study's tables, each beside what the study published."""
