"""Results as documents, and a writer of documents for each format."""
