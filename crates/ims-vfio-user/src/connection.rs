// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The sockets of one client: bytes in, commands executed, replies out.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use ims_vfio::{Endpoint, Hold};
use rustix::io::Errno;

use crate::client::{Client, Closing, Shared};
use crate::inbox::{Buffers, Inbox, Message, Read, StreamError};
use crate::layout::Header;
use crate::outbox::Outbox;
use crate::replies::Replies;

/// What the loop keeps for all its connections.
pub(crate) struct Desk {
    pub(crate) shared: Shared,
    pub(crate) buffers: Buffers,
    pub(crate) replies: Replies,
    /// What has been done in this turn.
    pub(crate) turn: Turn,
}

/// What the loop has done between two waits.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Commands whose sender waits for no answer.
    posted: bool,
    /// Replies.
    answered: bool,
}

impl Turn {
    /// Whether there was nothing but posted commands.
    pub(crate) fn was_posted(&self) -> bool {
        self.posted && !self.answered
    }
}

/// One client's sockets, and what has been read from them.
pub(crate) struct Connection {
    socket: Arc<OwnedFd>,
    inbox: Inbox,
    /// The socket may have more to read, which it will not say again by itself.
    more: bool,
    client: Client,
    twin: Option<Twin>,
    /// Commands read behind one that stalls.
    waiting: VecDeque<Waiting>,
    /// The listener it came by.
    pub(crate) listener: u64,
}

/// The socket of the server's own commands.
struct Twin {
    socket: OwnedFd,
    inbox: Inbox,
}

struct Waiting {
    header: Header,
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the client closed it")]
    ByClient,
    #[error("the device was taken away")]
    ByServer,
    #[error("the device panicked")]
    Panicked,
    #[error("the client broke the protocol: {0}")]
    Stream(#[from] StreamError),
    #[error("the client cannot be served: {0}")]
    Closing(#[from] Closing),
}

impl From<Errno> for Ended {
    fn from(errno: Errno) -> Self {
        Self::Closing(Closing::Socket(errno))
    }
}

impl Connection {
    pub(crate) fn new(
        id: u64,
        listener: u64,
        socket: OwnedFd,
        endpoint: Endpoint,
        unread: usize,
    ) -> Self {
        let socket = Arc::new(socket);
        let outbox = Arc::new(Outbox::new(Arc::clone(&socket), unread));
        Self {
            socket,
            inbox: Inbox::default(),
            more: false,
            client: Client::new(id, endpoint, outbox),
            twin: None,
            waiting: VecDeque::new(),
            listener,
        }
    }

    /// Reads once and executes what has come.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) fn readable(&mut self, desk: &mut Desk) -> Result<(), Ended> {
        if !self.wants_more(&desk.shared) {
            self.more = true;
            return Ok(());
        }
        let fds = desk.shared.limits.msg_fds;
        match self
            .inbox
            .fill(self.socket.as_fd(), &mut desk.buffers, fds)?
        {
            Read::Some => self.execute(desk),
            Read::More => {
                self.more = true;
                self.execute(desk)
            }
            Read::Nothing => Ok(()),
            Read::Closed => Err(Ended::ByClient),
        }
    }

    /// The other side is done, but what it sent before may not have been read.
    pub(crate) fn ends(&mut self) {
        self.more = true;
    }

    /// Whether the socket may have more to read, since this was last asked.
    pub(crate) fn take_more(&mut self) -> bool {
        std::mem::take(&mut self.more)
    }

    /// Reads answers from the socket of the server's own commands.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) fn twin_readable(&mut self, desk: &mut Desk) -> Result<(), Ended> {
        let Some(twin) = &mut self.twin else {
            return Ok(());
        };
        match twin.inbox.fill(twin.socket.as_fd(), &mut desk.buffers, 0)? {
            Read::Some | Read::More => {}
            Read::Nothing => return Ok(()),
            Read::Closed => return Err(Ended::ByClient),
        }
        while let Some(message) = twin.inbox.next(desk.shared.limits.message())? {
            if !message.header.is_reply() {
                return Err(Closing::Unasked.into());
            }
            self.client.answered(&message.header, message.body)?;
        }
        twin.inbox.rest(&mut desk.buffers);
        Ok(())
    }

    /// Goes on if what stalled the client has come to rest.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) fn quiet(&mut self, desk: &mut Desk) -> Result<(), Ended> {
        self.client.resume(&mut desk.replies);
        if self.client.is_stalled() {
            return Ok(());
        }
        self.execute(desk)
    }

    /// Executes what has been read, and sends the replies.
    fn execute(&mut self, desk: &mut Desk) -> Result<(), Ended> {
        let executed = self.execute_read(desk);
        desk.turn.answered |= !desk.replies.is_empty();
        // Also what was answered before an end, and the refusal that is the reason.
        let sent = desk.replies.send(self.client.outbox());
        desk.replies.clear();
        executed?;
        sent?;
        self.inbox.rest(&mut desk.buffers);
        Ok(())
    }

    fn execute_read(&mut self, desk: &mut Desk) -> Result<(), Ended> {
        let (shared, replies) = (&desk.shared, &mut desk.replies);
        while !self.client.is_stalled() && !self.client.outbox().is_clogged() {
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            self.client
                .execute(shared, replies, &next.header, &next.body, next.fds)?;
            self.client.send_if_large(replies)?;
        }
        while self.wants_more(shared) {
            let Some(message) = self.inbox.next(shared.limits.message())? else {
                break;
            };
            let Message { header, body, fds } = message;
            if header.is_reply() {
                self.client.answered(&header, body)?;
            } else if self.client.is_stalled() {
                self.waiting.push_back(Waiting {
                    header,
                    body: body.to_vec(),
                    fds,
                });
            } else {
                desk.turn.posted |= header.wants_no_reply();
                self.client.execute(shared, replies, &header, body, fds)?;
                self.client.send_if_large(replies)?;
            }
        }
        Ok(())
    }

    /// Whether more commands are taken, and its socket read: not while many wait, or
    /// the client does not read what it has been answered.
    pub(crate) fn wants_more(&self, shared: &Shared) -> bool {
        self.waiting.len() < shared.limits.waiting_commands && !self.client.outbox().is_clogged()
    }

    /// Whether everything it asked is answered.
    pub(crate) fn is_idle(&self) -> bool {
        !self.client.is_stalled() && self.waiting.is_empty() && !self.has_backlog()
    }

    /// Whether replies wait for the client to read.
    pub(crate) fn has_backlog(&self) -> bool {
        self.client.outbox().has_backlog()
    }

    /// Whether the server's own commands wait for the client to read its second
    /// socket.
    pub(crate) fn has_twin_backlog(&self) -> bool {
        let calls = self.client.calls();
        self.twin.is_some() && calls.is_some_and(|calls| calls.outbox().has_backlog())
    }

    /// Sends what is kept, and goes on with what was held back meanwhile.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) fn writable(&mut self, desk: &mut Desk) -> Result<(), Ended> {
        let held_back = self.client.outbox().is_clogged();
        self.flush()?;
        if held_back && !self.client.outbox().is_clogged() {
            self.execute(desk)?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), Ended> {
        self.client.outbox().flush()?;
        if let Some(calls) = self.client.calls().filter(|_| self.twin.is_some()) {
            calls.outbox().flush()?;
        }
        Ok(())
    }

    /// The second socket, if one has just been made; it is to be watched from now on.
    pub(crate) fn new_twin(&mut self) -> Option<BorrowedFd<'_>> {
        let socket = self.client.take_twin()?;
        let twin = self.twin.insert(Twin {
            socket,
            inbox: Inbox::default(),
        });
        Some(twin.socket.as_fd())
    }

    /// The socket of the server's own commands, if they have one.
    pub(crate) fn twin_socket(&self) -> Option<BorrowedFd<'_>> {
        self.twin.as_ref().map(|twin| twin.socket.as_fd())
    }

    /// The eventfd by which the client unmasks the pin is readable.
    pub(crate) fn unmask_signalled(&mut self) {
        self.client.unmask_signalled();
    }

    /// Whether the pin's eventfds may have changed since this was last asked.
    pub(crate) fn pin_changed(&mut self) -> bool {
        self.client.take_pin_changed()
    }

    /// The client, for what concerns no socket.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Ends it. Whoever still uses the client's memory keeps a clone of `hold`.
    pub(crate) fn end(mut self, desk: &mut Desk, hold: Hold) {
        self.client.leave(hold);
        self.inbox.discard(&mut desk.buffers);
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
