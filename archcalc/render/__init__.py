"""Results as documents, and what writes documents: a file for each format."""
