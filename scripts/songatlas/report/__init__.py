"""What people read: tables, figures, the summary, the study, the explorer."""
