//! A snapshot in the making: what its parts fill in, one after the other.

use super::{Backends, Environment, Plugins, Snapshot, Upstreams};
use crate::config::{Config, Problem};

/// A snapshot in the making.
pub(super) struct Compiler<'a> {
    pub(super) config: &'a Config,
    pub(super) previous: Option<&'a Snapshot>,
    pub(super) environment: &'a Environment,
    pub(super) problems: Vec<Problem>,
    pub(super) upstreams: Upstreams,
    pub(super) backends: Backends,
    pub(super) plugins: Plugins,
}

impl<'a> Compiler<'a> {
    /// With nothing in it yet.
    pub(super) fn new(
        config: &'a Config,
        previous: Option<&'a Snapshot>,
        environment: &'a Environment,
    ) -> Self {
        Self {
            config,
            previous,
            environment,
            problems: Vec::new(),
            upstreams: Upstreams::default(),
            backends: Backends::default(),
            plugins: Plugins::default(),
        }
    }
}
