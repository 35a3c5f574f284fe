// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the server's owner tells its loop.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

use ims_vfio::Endpoint;

/// What the owner wants.
#[derive(Debug)]
pub(crate) enum Control {
    /// Serve a device to the clients that connect, one at a time.
    Listen {
        id: u64,
        listener: UnixListener,
        path: PathBuf,
        endpoint: Endpoint,
    },
    /// Serve a device to the client at the other end of a socket.
    Adopt {
        id: u64,
        socket: OwnedFd,
        endpoint: Endpoint,
    },
    /// Serve a device no longer; say so when it is so.
    Remove { id: u64, done: Sender<()> },
    /// Finish what is in flight and end.
    Stop,
}
