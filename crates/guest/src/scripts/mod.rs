//! Scripts of the administrator before and after a point.
