"""Task wrappers that the categories of this stage share."""
