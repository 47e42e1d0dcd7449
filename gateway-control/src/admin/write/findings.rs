//! What would be doubtful, for `?dry_run=1`.

use gateway_core::{
    config::Config,
    lint::{Code, Finding, lint},
};

use crate::Control;

/// What is doubtful in `new` and was not so in `old`.
pub(in crate::admin) fn findings(control: &Control, old: &Config, new: &Config) -> Vec<Finding> {
    let dialect = control.gateway().settings().dialect();
    let before = lint(old, dialect);
    let is_moot = |code| code == Code::TtlNeedsStore && control.store().is_some();
    let found = lint(new, dialect);
    let found =
        found.iter().filter(|finding| !is_moot(finding.code) && !before.iter().any(|old| old == *finding));
    found.cloned().collect()
}
