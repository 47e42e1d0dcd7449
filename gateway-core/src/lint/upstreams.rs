//! Upstreams.

use super::{Code, Finding, Findings, Party};
use crate::{config::Config, router::Label};

pub(super) fn lint(config: &Config, findings: &mut Findings) {
    for upstream in config.upstreams.values() {
        let named = [
            ("hash_on_header", &upstream.hash_on_header),
            ("hash_fallback_header", &upstream.hash_fallback_header),
        ];
        for (field, name) in named {
            let Some(name) = name.as_ref().filter(|name| name.contains('-')) else { continue };
            let entity = Party::new("upstreams", Label::new(upstream.id, Some(&upstream.name)));
            let message = format!(
                "Kong 3.9 never finds a header with a dash in its name to hash on, so all requests went the way of the fallback; here `{name}` is found, and requests spread by it"
            );
            let help = "nothing, if that is what was meant; remove it to keep what Kong did";
            findings.push(Finding::new(Code::HashOnHeaderWithDash, entity, message, help).at(field));
        }
    }
}
