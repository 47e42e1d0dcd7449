//! What of the store is served.

use gateway_core::config::Checked;

use crate::store::Revision;

/// What of the store is served: everything, as of a revision, with `{vault://...}` as written.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) revision: Revision,
    pub(crate) checked: Checked,
}
