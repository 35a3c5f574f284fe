// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who is at the other end of a control socket.

use std::io;
use std::os::fd::AsFd;

use rustix::net::sockopt::socket_peercred;

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) pid: i32,
}

impl Peer {
    /// Asks the kernel.
    pub(super) fn of(socket: impl AsFd) -> io::Result<Self> {
        let credentials = socket_peercred(socket)?;
        Ok(Self {
            uid: credentials.uid.as_raw(),
            pid: credentials.pid.as_raw_nonzero().get(),
        })
    }

    /// Whether the server of user `own` does what this one asks: its own user and
    /// nobody else, not even root, who would have to become that user.
    pub(super) fn may_ask(self, own: u32) -> bool {
        self.uid == own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_kernel_tells_who_the_peer_is() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert_eq!(u32::try_from(peer.pid).unwrap(), std::process::id());
    }

    #[test]
    fn only_the_servers_own_user_may_ask() {
        let peer = |uid| Peer { uid, pid: 1 };
        assert!(peer(1000).may_ask(1000));
        assert!(!peer(1001).may_ask(1000));
        assert!(!peer(0).may_ask(1000));
    }
}
