//! The plugins of a route, in order, around one forwarder.
/// placeholder
pub struct Chain;
/// placeholder
pub trait Forward {}
