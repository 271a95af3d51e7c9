"""The results, and what renders them."""
