//! Sessions, rooms, registry and supervision, and the traits (`Store`) of what they stand on.
