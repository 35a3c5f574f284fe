// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The forwarder's own thread: turns, until nobody is left.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::Forwarder;
use crate::shared::Shared;
use crate::vm::Vm;

/// What a thread list shows (at most 15 characters).
const NAME: &str = "ims-kvm-forward";

/// The thread. Dropped, it has ended.
#[derive(Debug)]
pub(crate) struct Thread(Option<JoinHandle<()>>);

impl Thread {
    pub(crate) fn start<V: Vm>(shared: Arc<Shared<V>>) -> io::Result<Self> {
        let run = move || {
            let mut forwarder = Forwarder::new(Arc::clone(&shared));
            while !shared.has_ended() {
                if let Err(error) = forwarder.turn(None) {
                    tracing::error!(%error, "eventfds are not forwarded any more");
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name(NAME.to_owned()).spawn(run)?;
        Ok(Self(Some(thread)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            // The last handle may be dropped by what a turn raises.
            && thread.thread().id() != thread::current().id()
        {
            // A panic in it has been told of already.
            let _ = thread.join();
        }
    }
}
