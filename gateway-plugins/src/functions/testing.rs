//! A plugin's call without a plugin.

use std::sync::Arc;

use gateway_core::{
    ConnectInfo, Gateway,
    config::Checked,
    plugin::{Exchange, Registry},
};
use plugin_contract::{Call as Contract, NOW, decode, encode};
use serde::Deserialize;

use crate::{
    Call, ForeignFunction, Returned, Status, call::Configuration, entity::Entity, grants::Grants,
    names::Names, sources::Sources,
};

/// Whoever calls.
pub(super) struct Plugin {
    pub(super) configuration: Configuration,
    pub(super) sources: Sources,
    pub(super) grants: Grants,
    pub(super) exchange: Exchange,
}

impl Default for Plugin {
    fn default() -> Self {
        Self {
            configuration: Configuration::new(1, Entity::default()),
            sources: super::services().sources,
            grants: Grants::default(),
            exchange: Exchange::new(Arc::new(ConnectInfo::unknown())),
        }
    }
}

/// What a call came to.
#[derive(Debug)]
pub(super) enum Came {
    Now(Vec<u8>),
    Later(Vec<u8>),
}

impl Plugin {
    /// A request of a gateway with these consumers comes in, in place of the one of before.
    pub(super) fn serve(&mut self, file: &str) {
        let checked = Checked::parse(file, &Registry::empty()).unwrap();
        let gateway = Gateway::builder().checked(checked).build().unwrap();
        self.exchange.identities = Some(Arc::clone(gateway.snapshot().identities()));
    }

    /// Calls a function with bytes.
    pub(super) async fn call(
        &self,
        function: impl ForeignFunction,
        arguments: &[u8],
    ) -> Result<Came, Status> {
        let mut answer = Vec::new();
        let mut call = Call {
            plugin: "test",
            configuration: &self.configuration,
            shard: Some(0),
            exchange: Some(&self.exchange),
            request: None,
            response: None,
            effects: None,
            answer: &mut answer,
            notes: None,
            names: &mut Names::default(),
            sources: &self.sources,
            grants: &self.grants,
        };
        match function.call(arguments, &mut call)? {
            Returned::Later(late) => Ok(Came::Later(late.await.to_vec())),
            Returned::Now(bytes) => Ok(Came::Now(bytes.to_vec())),
            Returned::Written => {
                assert_eq!(answer.first(), Some(&NOW));
                Ok(Came::Now(answer.split_off(1)))
            }
        }
    }

    /// The bytes of a function's answer, whenever it comes.
    pub(super) async fn ask<C: Contract>(
        &self,
        function: impl ForeignFunction,
        call: &C,
    ) -> Result<Vec<u8>, Status> {
        match self.call(function, &encode(call, Vec::new()).unwrap()).await? {
            Came::Now(bytes) | Came::Later(bytes) => Ok(bytes),
        }
    }

    /// Calls with what is not the function's arguments: no call may do more than refuse.
    pub(super) async fn torment<C: Contract>(&self, function: impl ForeignFunction + Copy, call: &C) {
        let good = encode(call, Vec::new()).unwrap();
        for end in 0..good.len() {
            let refused = self.call(function, &good[..end]).await;
            assert_eq!(refused.unwrap_err(), Status::BadArgument, "cut at {end}");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(self.call(function, &longer).await.unwrap_err(), Status::BadArgument);
        for at in 0..good.len() {
            for byte in [0x00, 0x7f, 0x80, 0xff] {
                let mut other = good.clone();
                other[at] = byte;
                // It may be another good call, or none.
                drop(self.call(function, &other).await);
            }
        }
    }
}

pub(super) fn answer<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> T {
    decode(bytes).unwrap()
}
