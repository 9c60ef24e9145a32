"""The category ab_comparison."""
