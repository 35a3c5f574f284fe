// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many devices and many clients: one thread. Alone in its process, whose threads it
//! counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod device;
mod peer;

use std::sync::Arc;

use device::TestDevice;
use ims_vfio::irqs::Lines;
use ims_vfio_user::{Limits, Server};
use peer::{Peer, Place};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn small() -> TestDevice {
    TestDevice::with_lines(Lines::msix(4))
}

#[test]
fn hundreds_of_devices_and_clients_share_one_thread() {
    let server = Server::start(Limits::default()).unwrap();
    let places: Vec<_> = (0..200)
        .map(|at| Place::new(&format!("many-{at}")))
        .collect();
    for place in &places {
        server.listen(&place.0, Arc::new(small())).unwrap();
    }
    drop(Peer::agreed(&places[0].0));
    let before = threads();
    let mut peers: Vec<_> = places.iter().map(|place| Peer::agreed(&place.0)).collect();
    for (at, peer) in peers.iter_mut().enumerate() {
        peer.write_region(0, 0, &at.to_le_bytes()).unwrap();
    }
    for (at, peer) in peers.iter_mut().enumerate() {
        assert_eq!(peer.read_region(0, 0, 8).unwrap(), at.to_le_bytes());
    }
    assert_eq!(threads(), before);
}
