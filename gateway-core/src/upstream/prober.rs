//! How the endpoints of an upstream are probed.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;

use super::{
    TlsSettings, Transport,
    probe::{Probe, Question},
    target::Group,
};
use crate::{
    config::{ActiveChecks, CheckType},
    error::BoxError,
    health::Schedule,
};

/// How the endpoints of an upstream are probed.
#[derive(Debug)]
pub(super) struct Prober {
    pub(super) probe: Probe,
    pub(super) schedule: Schedule,
    pub(super) concurrency: usize,
}

impl Prober {
    /// What `group` asks for; none where it asks for no probes.
    pub(super) fn new(group: &Group) -> Option<Self> {
        let checks = &group.checks.active;
        let schedule = Schedule {
            healthy: millis(checks.healthy.interval),
            unhealthy: millis(checks.unhealthy.interval),
        };
        if schedule.healthy == 0 && schedule.unhealthy == 0 {
            return None;
        }
        let tls = match tls(checks, group) {
            Ok(tls) => tls,
            Err(error) => {
                // The services that show the certificate have been refused for it already.
                tracing::error!(upstream = %group.name, error, "no probes: the certificate is of no use");
                return None;
            }
        };
        let probe = Probe {
            question: question(checks),
            tls,
            sni: checks.https_sni.clone(),
            host: group.host_header.clone(),
            timeout: Duration::from_millis(millis(checks.timeout)),
        };
        let concurrency = usize::try_from(checks.concurrency).unwrap_or(usize::MAX).max(1);
        Some(Self { probe, schedule, concurrency })
    }
}

fn question(checks: &ActiveChecks) -> Question {
    match checks.kind {
        CheckType::Tcp => Question::Connection,
        CheckType::Http | CheckType::Https => {
            Question::Get { path: checks.http_path.clone(), headers: headers(checks) }
        }
        CheckType::Grpc | CheckType::Grpcs => Question::Grpc,
    }
}

/// The extra headers; the config room has refused names and values that are none.
fn headers(checks: &ActiveChecks) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in checks.headers.iter().flatten() {
        let Ok(name) = name.parse::<HeaderName>() else { continue };
        for value in values.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
            headers.append(&name, value);
        }
    }
    headers
}

fn tls(checks: &ActiveChecks, group: &Group) -> Result<Option<Arc<ClientConfig>>, BoxError> {
    if !matches!(checks.kind, CheckType::Https | CheckType::Grpcs) {
        return Ok(None);
    }
    let settings = TlsSettings {
        verify: checks.https_verify_certificate,
        client: group.client_certificate.clone(),
        ..TlsSettings::default()
    };
    let transport = Transport::tls(&settings)?;
    Ok(transport.config().map(|config| match checks.kind {
        CheckType::Grpcs => {
            let mut config = ClientConfig::clone(config);
            config.alpn_protocols = vec![b"h2".to_vec()];
            Arc::new(config)
        }
        _ => Arc::clone(config),
    }))
}

/// Seconds as configured, in milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 65535, and the cast saturates"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1_000.0).ceil() as u64
}
