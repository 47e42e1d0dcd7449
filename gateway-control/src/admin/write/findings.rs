//! What would be doubtful, for `?dry_run=1`.

use gateway_core::{
    Gateway,
    config::Config,
    lint::{Finding, lint},
};

/// What is doubtful in `new` and was not so in `old`.
pub(super) fn findings(gateway: &Gateway, old: &Config, new: &Config) -> Vec<Finding> {
    let dialect = gateway.settings().dialect();
    let before = lint(old, dialect);
    lint(new, dialect).iter().filter(|finding| !before.iter().any(|old| old == *finding)).cloned().collect()
}
