//! The Windows back end.
