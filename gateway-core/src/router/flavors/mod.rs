//! From routes to ranked rules, one flavour beside the other. The flavour `expressions` has a room of its own.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `compile` | the compiler of each flavour |
//! | `compatible`, `traditional`, `gateway_api` | the flavours of these names |
//! | `fields`, `paths` | what they read in the same way |

pub(super) mod compatible;
pub(super) mod compile;
pub(super) mod fields;
pub(super) mod gateway_api;
pub(super) mod paths;
pub(super) mod traditional;
