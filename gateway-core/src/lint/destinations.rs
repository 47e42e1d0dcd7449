//! Plugins that send elsewhere, and do not.

use serde_json::Value;

use super::{Code, Finding, Findings, Party};
use crate::{
    config::{Config, Plugin, Service},
    router::Label,
};

pub(super) fn lint(config: &Config, findings: &mut Findings) {
    for plugin in config.plugins.values().filter(|plugin| plugin.enabled) {
        let Some((place, own)) = own(config, plugin) else { continue };
        let message = match plugin.name.as_str() {
            "mirror" if leads_to(&plugin.config, own) == Some(true) => {
                format!(
                    "`mirror` copies to `{}`, where the requests go: it gets each of them twice",
                    own.host
                )
            }
            "traffic-split" if nothing_is_split(&plugin.config, own) => format!(
                "all destinations of `traffic-split` that get requests lead to `{}`, where they go without it",
                own.host
            ),
            _ => continue,
        };
        let help = "name another service or upstream, or take the plugin out";
        findings.push(Finding::new(Code::SendsToItself, place, message, help).at("plugins"));
    }
}

/// The service whose requests a plugin sees, if it is one alone, and where the plugin stands.
fn own<'c>(config: &'c Config, plugin: &Plugin) -> Option<(Party, &'c Service)> {
    let service = |id| config.services.get(&id).map(AsRef::as_ref);
    if let Some(route) = &plugin.route {
        let route = config.routes.get(&route.id)?;
        let place = Party::new("routes", Label::new(route.id, route.name.as_deref()));
        return Some((place, service(route.service.as_ref()?.id)?));
    }
    let own = service(plugin.service.as_ref()?.id)?;
    Some((Party::new("services", Label::new(own.id, own.name.as_deref())), own))
}

/// Whether a destination is this service; none where it names nothing.
fn leads_to(destination: &Value, own: &Service) -> Option<bool> {
    let text = |name: &str| destination.get(name).and_then(Value::as_str);
    let port = destination.get("port").and_then(Value::as_u64);
    let same_port = port.is_none_or(|port| port == u64::from(own.port));
    match (text("service"), text("upstream")) {
        (Some(service), _) => Some(own.name.as_deref() == Some(service) || own.id.to_string() == service),
        (None, Some(upstream)) => Some(own.host == upstream && same_port),
        (None, None) => port.map(|_| same_port),
    }
}

fn nothing_is_split(config: &Value, own: &Service) -> bool {
    let all = config.get("destinations").and_then(Value::as_array).into_iter().flatten();
    let gets_some = |it: &&Value| it.get("weight").and_then(Value::as_u64) != Some(0);
    let mut some = all.filter(gets_some).peekable();
    // One that names nothing is the route's own.
    some.peek().is_some() && some.all(|destination| leads_to(destination, own).unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use super::super::{Code, lint};
    use crate::{config::Config, plugins, router::Flavor};

    fn is_found(plugin: &str) -> bool {
        let text = format!(
            "_format_version: '3.0'
services:
- {{name: a, host: a.internal, routes: [{{name: r, paths: [/], plugins: [{plugin}]}}]}}
- {{name: b, host: b.internal}}
"
        );
        let config = Config::parse(&text, &plugins::bundled()).unwrap();
        lint(&config, Flavor::default()).iter().any(|finding| finding.code == Code::SendsToItself)
    }

    #[test]
    fn what_leads_back_is_found_and_what_leads_elsewhere_is_not() {
        for (plugin, found) in [
            ("{name: mirror, config: {service: a}}", true),
            ("{name: mirror, config: {upstream: a.internal}}", true),
            ("{name: mirror, config: {upstream: a.internal, port: 81}}", false),
            ("{name: mirror, config: {service: b}}", false),
            ("{name: mirror, enabled: false, config: {service: a}}", false),
            ("{name: traffic-split, config: {destinations: [{service: a}]}}", true),
            ("{name: traffic-split, config: {destinations: [{weight: 9}, {upstream: a.internal}]}}", true),
            ("{name: traffic-split, config: {destinations: [{weight: 9}, {service: b, weight: 0}]}}", true),
            ("{name: traffic-split, config: {destinations: [{service: a, weight: 9}, {service: b}]}}", false),
        ] {
            assert_eq!(is_found(plugin), found, "{plugin}");
        }
    }
}
