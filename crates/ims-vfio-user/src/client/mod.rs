// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One client of a device: what it has agreed to, and what its commands do.
//!
//! Commands are executed in order. One that may be answered only when something has
//! come to rest (an unmap, a reset) stalls the others behind it, and nobody else.

mod access;
mod describe;
mod interrupts;
mod maps;
mod rest;
mod version;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use ims_vfio::{Endpoint, Hold};
use rustix::io::Errno;

use crate::calls::Calls;
use crate::layout::{Header, feature};
use crate::limits::Limits;
use crate::memory::Files;
use crate::outbox::Outbox;
use crate::replies::Replies;
use crate::request::{self, Refusal, Request};
use crate::version::{Agreed, VersionError};
use crate::wake::{Event, Events};
use rest::Rest;

/// What a server's connections share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) files: Files,
    pub(crate) events: Arc<Events>,
}

/// One client of a device.
pub(crate) struct Client {
    id: u64,
    endpoint: Endpoint,
    outbox: Arc<Outbox>,
    agreed: Option<Agreed>,
    calls: Option<Arc<Calls>>,
    stalled: Option<Stalled>,
    /// A socket that has been made for the server's commands and is not served yet.
    twin: Option<OwnedFd>,
    pin_changed: bool,
}

/// A command that is executed and not answered.
struct Stalled {
    header: Header,
    body: Vec<u8>,
    rest: Arc<Rest>,
}

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Closing {
    #[error("its first message agreed on no version")]
    NoVersion,
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error("its replies are to nothing it was asked")]
    Unasked,
    #[error("it cannot be written to: {0}")]
    Socket(#[from] Errno),
}

impl Client {
    pub(crate) fn new(id: u64, endpoint: Endpoint, outbox: Arc<Outbox>) -> Self {
        Self {
            id,
            endpoint,
            outbox,
            agreed: None,
            calls: None,
            stalled: None,
            twin: None,
            pin_changed: false,
        }
    }

    /// Executes a command. Its reply is in `replies`, or has gone with descriptors,
    /// or comes when the client is no longer stalled.
    ///
    /// # Errors
    /// [`Closing`]: the connection is of no further use.
    pub(crate) fn execute(
        &mut self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        body: &[u8],
        fds: Vec<OwnedFd>,
    ) -> Result<(), Closing> {
        let request = match request::read(header, body, fds.len()) {
            Ok(Request::Version(version, text)) => {
                return self.version(shared, replies, header, version, text);
            }
            _ if self.agreed.is_none() => {
                replies.refuse(header, Errno::INVAL);
                return Err(Closing::NoVersion);
            }
            Ok(request) => request,
            Err(Refusal(errno)) => {
                replies.refuse(header, errno);
                return Ok(());
            }
        };
        match request {
            Request::Read(access) => self.read(shared, replies, header, access),
            Request::Write(access, data) => self.write(shared, replies, header, access, data)?,
            Request::WriteMulti(entries) => self.write_multi(shared, replies, header, entries)?,
            Request::SetIrqs(set, bytes) => self.set_irqs(replies, header, set, bytes, fds),
            Request::DmaMap(map) => self.map(shared, replies, header, map, fds),
            Request::DmaUnmap(unmap) => self.unmap(shared, replies, header, unmap)?,
            Request::Reset => {
                let endpoint = self.endpoint.clone();
                self.when_quiet(shared, replies, header, Vec::new(), |hold| {
                    endpoint.reset(hold);
                    Ok(())
                })?;
            }
            Request::DeviceInfo => self.device_info(replies, header),
            Request::RegionInfo(asked) => self.region_info(replies, header, asked)?,
            Request::IoFds(asked) => self.io_fds(replies, header, asked)?,
            Request::IrqInfo(asked) => self.irq_info(replies, header, asked),
            // No feature is offered; a probe is told so, as by the kernel.
            Request::Feature(asked) => {
                tracing::debug!(feature = asked.flags & feature::NUMBER, "not offered");
                replies.refuse(header, Errno::NOTTY);
            }
            Request::MigrationData => replies.refuse(header, Errno::NOTSUP),
            Request::Version(..) => replies.refuse(header, Errno::INVAL),
        }
        Ok(())
    }

    /// Takes a reply to one of the server's commands.
    ///
    /// # Errors
    /// [`Closing::Unasked`].
    pub(crate) fn answered(&self, header: &Header, body: &[u8]) -> Result<(), Closing> {
        let calls = self.calls.as_ref().ok_or(Closing::Unasked)?;
        calls.answer(header, body).map_err(|_| Closing::Unasked)
    }

    /// Begins something that is answered with `body` when everybody has let go of
    /// the hold that `begin` is given; or refused at once, if `begin` refuses.
    fn when_quiet(
        &mut self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        body: Vec<u8>,
        begin: impl FnOnce(Hold) -> Result<(), Errno>,
    ) -> Result<(), Closing> {
        let rest = Arc::new(Rest::default());
        let hold = Hold::new({
            let (rest, events, id) = (Arc::clone(&rest), Arc::clone(&shared.events), self.id);
            move || {
                if rest.reach() {
                    events.push(Event::Quiet(id));
                }
            }
        });
        if let Err(errno) = begin(hold) {
            replies.refuse(header, errno);
            return Ok(());
        }
        if rest.is_reached_or_awaited() {
            replies.put(header, &[&body]);
            return Ok(());
        }
        // What has been answered so far must not wait for it.
        replies.send(&self.outbox)?;
        self.stalled = Some(Stalled {
            header: *header,
            body,
            rest,
        });
        Ok(())
    }

    /// Sends the replies there are, if they are many.
    #[inline]
    pub(crate) fn send_if_large(&self, replies: &mut Replies) -> Result<(), Closing> {
        if replies.is_large() {
            replies.send(&self.outbox)?;
        }
        Ok(())
    }

    /// Answers the command that stalls the client, if it can be by now.
    pub(crate) fn resume(&mut self, replies: &mut Replies) {
        let rests = |stalled: &mut Stalled| stalled.rest.is_reached_or_awaited();
        if let Some(stalled) = self.stalled.take_if(rests) {
            replies.put(&stalled.header, &[&stalled.body]);
        }
    }

    /// Whether a command waits to be answered, and all others behind it.
    #[inline]
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// The outbox replies go to.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The server's own commands to this client, once it has agreed on a version.
    pub(crate) fn calls(&self) -> Option<&Arc<Calls>> {
        self.calls.as_ref()
    }

    /// The server's end of a socket just made for its own commands.
    pub(crate) fn take_twin(&mut self) -> Option<OwnedFd> {
        self.twin.take()
    }

    /// The eventfd by which the client unmasks the pin is readable.
    pub(crate) fn unmask_signalled(&mut self) {
        self.endpoint.function().irqs.unmask_signalled();
        // It may be one that a reset has taken away: then it is watched no longer.
        self.pin_changed = true;
    }

    /// Whether the pin's interrupt was set since this was last asked.
    pub(crate) fn take_pin_changed(&mut self) -> bool {
        std::mem::take(&mut self.pin_changed)
    }

    /// The device.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The client is gone. Whoever still uses its memory keeps a clone of `hold`.
    pub(crate) fn leave(&self, hold: Hold) {
        self.outbox.close();
        if let Some(calls) = &self.calls {
            // First: who waits for an answer lets go of memory.
            calls.close();
        }
        self.endpoint.detach(hold);
    }
}
