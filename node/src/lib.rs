//! The node in the back room.
