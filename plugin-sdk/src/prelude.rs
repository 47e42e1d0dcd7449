//! What nearly every plugin needs: `use plugin_sdk::prelude::*;`

pub use crate::{
    Callout, Chunk, Error, Flow, Headers, Log, Outcome, Query, Reply, Request, Response, Text, config,
    consumer, debug, error, info, join, plugin, time, var, warn,
};
