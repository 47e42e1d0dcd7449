//! Commands beside a running gateway: they ask its Admin API.

mod client;
mod consent;
mod entities;
mod history;
mod node;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;

use crate::{address::Address, failure::Failure};

pub(crate) use entities::{ExportArgs, ImportArgs, diff, export, import};
pub(crate) use history::{HistoryArgs, RollbackArgs, history, rollback};
pub(crate) use node::{QuitArgs, drain, health, quit, reload};

use client::Client;
use consent::consent;
use tls::TlsArgs;

/// Which gateway is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdminArgs {
    /// Where the running gateway has its Admin API [default: 127.0.0.1:8001]
    #[arg(long, value_name = "ADDR", env = "GATEWAY_ADMIN")]
    admin: Option<Address>,

    /// The token that it asks for, if it does
    #[arg(long, value_name = "TOKEN", env = "GATEWAY_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,

    #[command(flatten)]
    tls: TlsArgs,
}

impl AdminArgs {
    fn address(&self) -> SocketAddr {
        let mut address = self.admin.map_or_else(|| (Ipv4Addr::LOCALHOST, 8001).into(), |address| address.0);
        // Where it listens on all, it listens here.
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }

    fn client(&self) -> Result<Client, Failure> {
        let address = self.address();
        Client::new(address, self.token.as_deref(), self.tls.towards(address.ip())?)
    }
}
