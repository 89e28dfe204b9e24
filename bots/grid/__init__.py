"""The pure core of a grid."""
