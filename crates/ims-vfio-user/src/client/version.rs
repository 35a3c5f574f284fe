// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The first message.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use zerocopy::IntoBytes;

use super::{Client, Closing, Shared};
use crate::calls::Calls;
use crate::layout::{Header, Version};
use crate::outbox::Outbox;
use crate::replies::Replies;
use crate::version::{agree, answer};

impl Client {
    pub(super) fn version(
        &mut self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        version: Version,
        text: &[u8],
    ) -> Result<(), Closing> {
        if self.agreed.is_some() {
            replies.refuse(header, Errno::INVAL);
            return Ok(());
        }
        let agreed = agree(version, text, &shared.limits).inspect_err(|_| {
            replies.refuse(header, Errno::INVAL);
        })?;
        let version = Version {
            major: version.major,
            minor: agreed.minor,
        };
        let text = answer(&agreed, &shared.limits);
        let parts = [version.as_bytes(), &text];
        let mut outbox = Arc::clone(&self.outbox);
        if agreed.twin_socket {
            let (ours, theirs) = twin()?;
            let socket = Arc::new(ours.try_clone().map_err(|_| Errno::MFILE)?);
            outbox = Arc::new(Outbox::new(socket, shared.limits.unread));
            self.twin = Some(ours);
            replies.send_with(&self.outbox, header, &parts, &[Arc::new(theirs)])?;
        } else {
            replies.put(header, &parts);
        }
        let calls = Arc::new(Calls::new(
            outbox,
            &agreed,
            shared.limits.clone(),
            self.id,
            Arc::clone(&shared.events),
        ));
        self.calls = Some(Arc::clone(&calls));
        self.agreed = Some(agreed);
        self.endpoint.attach(calls);
        Ok(())
    }
}

/// The socket pair of a client whose server's commands go by a socket of their own.
fn twin() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
}
