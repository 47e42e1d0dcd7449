//! What all clones of a gateway share.

use std::sync::Mutex;

use arc_swap::ArcSwap;

use super::retired::Retired;
use crate::{
    Settings,
    observe::Observer,
    snapshot::{Environment, Snapshot},
};

/// What all clones of a gateway share.
pub(super) struct Shared {
    pub(super) snapshot: ArcSwap<Snapshot>,
    /// Changes are made one at a time; requests never take it.
    pub(super) retired: Mutex<Retired>,
    pub(super) environment: Environment,
    pub(super) settings: Settings,
    pub(super) observer: Observer,
}
