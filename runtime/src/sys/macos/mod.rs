//! The back end of macOS and the BSDs.
