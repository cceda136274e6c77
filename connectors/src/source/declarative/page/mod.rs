//! Paginators: which page comes next and how it is asked for.
