//! Commands beside a running gateway: they ask its Admin API.

mod client;
mod consent;
mod entities;
mod history;
mod node;
mod place;
mod tls;

use clap::Args;

use crate::failure::Failure;

pub(crate) use entities::{DiffArgs, ExportArgs, ImportArgs, diff, export, import};
pub(crate) use history::{HistoryArgs, RollbackArgs, history, rollback};
pub(crate) use node::{QuitArgs, drain, health, quit, reload};

use client::Client;
use consent::consent;
use place::Place;
use tls::TlsArgs;

/// Which gateway is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdminArgs {
    /// Where the running gateway has its Admin API; https://HOST:PORT says --admin-tls, too [default: 127.0.0.1:8001]
    #[arg(long, value_name = "ADDR", env = "GATEWAY_ADMIN")]
    admin: Option<Place>,

    /// The token that it asks for, if it does
    #[arg(long, value_name = "TOKEN", env = "GATEWAY_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,

    #[command(flatten)]
    tls: TlsArgs,
}

impl AdminArgs {
    fn client(&self) -> Result<Client, Failure> {
        let usual = Place::usual();
        let place = self.admin.as_ref().unwrap_or(&usual);
        let address = place.address()?;
        Client::new(address, self.token.as_deref(), self.tls.towards(place, address.ip())?)
    }
}
