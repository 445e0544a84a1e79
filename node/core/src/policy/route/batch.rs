//! Many orders that share rights and capacity.
