//! Lets through requests of consumers that are in certain groups (compat P20).

use auth::unexpected;
use plugin_sdk::{consumer::Caller, prelude::*};

/// The configuration.
#[config(at_least_one_of = ["allow", "deny"])]
pub struct Config {
    /// Groups, one of which a consumer must be in.
    allow: Option<Vec<String>>,
    /// Groups that no consumer may be in.
    deny: Option<Vec<String>>,
    /// Whether the upstream is not told of the groups in `X-Consumer-Groups`.
    #[field(default = false)]
    hide_groups_header: bool,
    /// Whether groups that a plugin has learnt of when it found out who calls count before those of the consumer.
    #[field(default = false)]
    always_use_authenticated_groups: bool,
}

/// The variable in which a plugin that learns of groups leaves them: a JSON list of texts.
const AUTHENTICATED_GROUPS: &str = "authenticated_groups";

/// What those are refused who are in no group, or in the wrong one.
const REFUSED: &str = "You cannot consume this service";

/// What is said of a configuration that has both.
const BOTH: &str = "exactly one of these fields must be non-empty: 'config.allow', 'config.deny'";

/// The plugin.
pub struct Acl {
    rule: Rule,
    hides: bool,
    always_authenticated: bool,
}

/// Who may pass.
enum Rule {
    Allow(Vec<String>),
    Deny(Vec<String>),
}

#[plugin(name = "acl", priority = 950, no_consumer, capabilities = ["consumer", "response", "var"])]
impl Acl {
    fn configure(config: Config) -> Result<Self, String> {
        let Config { allow, deny, hide_groups_header, always_use_authenticated_groups } = config;
        let rule = match (allow.unwrap_or_default(), deny.unwrap_or_default()) {
            (allow, deny) if deny.is_empty() => Rule::Allow(allow),
            (allow, deny) if allow.is_empty() => Rule::Deny(deny),
            _ => return Err(BOTH.to_owned()),
        };
        Ok(Self { rule, hides: hide_groups_header, always_authenticated: always_use_authenticated_groups })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Reply> {
        let caller = consumer::caller().map_err(unexpected)?;
        if let Some(groups) = self.authenticated(caller) {
            let groups: Vec<_> = groups.iter().map(String::as_str).collect();
            let passed = self.judge(&groups);
            return self.tell(passed, "x-authenticated-groups", request);
        }
        if caller == Caller::Unknown {
            return Err(Reply::refuse(401, "Unauthorized"));
        }
        let passed = consumer::with_groups(|groups| self.judge(groups)).map_err(unexpected)?;
        self.tell(passed, "x-consumer-groups", request)
    }
}

impl Acl {
    /// The groups that another plugin has learnt of, where they count.
    fn authenticated(&self, caller: Caller) -> Option<Vec<String>> {
        if caller == Caller::Known && !self.always_authenticated {
            return None;
        }
        // Nobody has set it, or the host has no variables.
        let groups = var::get(AUTHENTICATED_GROUPS).ok()??;
        plugin_sdk::serde_json::from_slice(&groups).ok()
    }

    /// Whether those who are in these groups pass: what the upstream is told of them.
    fn judge(&self, groups: &[&str]) -> Option<String> {
        let are_in = |listed: &[String]| listed.iter().any(|group| groups.contains(&group.as_str()));
        let passes = match &self.rule {
            Rule::Allow(listed) => are_in(listed),
            Rule::Deny(listed) => !are_in(listed),
        };
        passes.then(|| if self.hides { String::new() } else { groups.join(", ") })
    }

    fn tell(&self, passed: Option<String>, field: &str, request: &mut Request) -> Result<(), Reply> {
        let groups = passed.ok_or_else(|| Reply::refuse(403, REFUSED))?;
        if !self.hides {
            request.set_header(field, &groups);
        }
        Ok(())
    }
}
