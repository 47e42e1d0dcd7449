//! Settings as the libraries take them.

use gateway_core::{
    Settings as GatewaySettings,
    reply::Branding as Names,
    sanitize::{Compat as EdgeCompat, Strictness, TrustedIps},
    server::Settings as ServerSettings,
};

use crate::settings::{Branding, Compat, Settings};

/// What the gateway is told.
pub(crate) fn gateway(settings: &Settings) -> GatewaySettings {
    let mut gateway = GatewaySettings::default();
    gateway.shards = workers(settings);
    gateway.debug_header = settings.allow_debug_header.unwrap_or(false);
    gateway.reason_header = settings.reason_header.unwrap_or(false);
    set(&mut gateway.tls_verify, settings.tls_verify);
    set(&mut gateway.router_flavor, settings.router_flavor.map(|flavor| flavor.0));
    set(&mut gateway.path_templates, settings.path_templates);
    gateway.zone.clone_from(&settings.zone);
    if settings.branding == Some(Branding::Neutral) {
        gateway.branding = Names::neutral();
    }
    gateway.trust.trusted_ips = trusted_ips(settings);
    set(&mut gateway.trust.real_ip_header, settings.real_ip_header.as_ref().map(|header| header.0.clone()));
    set(&mut gateway.trust.real_ip_recursive, settings.real_ip_recursive);
    let strictness = |strict| if strict == Some(true) { Strictness::Strict } else { Strictness::Compatible };
    gateway.rules.paths = strictness(settings.strict_paths);
    gateway.rules.headers = strictness(settings.strict_headers);
    if settings.compat == Some(Compat::Kong39Strict) {
        gateway.rules.compat = EdgeCompat::Kong39Strict;
    }
    let limits = &settings.limits;
    set(&mut gateway.rules.max_head, limits.head.map(|size| size.0));
    set(&mut gateway.rules.max_fields, limits.fields.map(usize::from));
    set(&mut gateway.rules.max_target, limits.target.map(|size| size.0));
    // The setting is for the node, the pool's bound for one worker.
    set(&mut gateway.pool.idle, limits.pool.and_then(|pool| usize::try_from(pool).ok()));
    gateway.pool.idle = gateway.pool.idle.div_ceil(workers(settings));
    gateway
}

/// Whose word about clients counts.
pub(crate) fn trusted_ips(settings: &Settings) -> TrustedIps {
    settings.trusted_ips.iter().flatten().map(|network| network.0).collect()
}

/// What the server is told. Call it after the limit of open files was raised: the default number of
/// connections hangs on it.
pub(crate) fn server(settings: &Settings) -> ServerSettings {
    let mut server = ServerSettings::default();
    server.workers = workers(settings);
    let limits = &settings.limits;
    set(&mut server.limits.head, limits.head.map(|size| size.0));
    set(&mut server.limits.header_list, limits.head.and_then(|size| u32::try_from(size.0).ok()));
    set(&mut server.limits.fields, limits.fields.map(usize::from));
    server.limits.keep_length = settings.compat == Some(Compat::Kong39Strict);
    set(&mut server.limits.streams, limits.streams);
    set(&mut server.max_connections, limits.connections.and_then(|limit| usize::try_from(limit).ok()));
    let timeouts = &settings.timeouts;
    set(&mut server.timeouts.silence, timeouts.accept.map(|time| time.0));
    set(&mut server.timeouts.proxy_head, timeouts.proxy_head.map(|time| time.0));
    set(&mut server.timeouts.handshake, timeouts.handshake.map(|time| time.0));
    set(&mut server.timeouts.head, timeouts.head.map(|time| time.0));
    set(&mut server.timeouts.keep_alive, timeouts.keep_alive.map(|time| time.0));
    set(&mut server.timeouts.body_idle, timeouts.body.map(|time| time.0));
    set(&mut server.timeouts.min_rate, timeouts.body_rate);
    set(&mut server.timeouts.write_idle, timeouts.write.map(|time| time.0));
    // As `kong quit` (compat P49).
    server.grace = timeouts.drain.map_or(std::time::Duration::from_secs(10), |time| time.0);
    server
}

fn workers(settings: &Settings) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    settings.workers.map_or_else(cores, usize::from)
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_is_shared_among_the_workers_whoever_sets_it() {
        for (pool, workers, each) in [(None, 4, 128), (Some(10), 4, 3), (Some(10), 1, 10), (Some(0), 4, 0)] {
            let mut settings = Settings { workers: Some(workers), ..Settings::default() };
            settings.limits.pool = pool;
            assert_eq!(gateway(&settings).pool.idle, each, "{pool:?} for {workers}");
        }
    }
}
