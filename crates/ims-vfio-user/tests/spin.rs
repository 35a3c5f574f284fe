// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A server that has nothing to do does nothing. Alone in its process, whose threads
//! it watches.
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
use std::time::Duration;

use device::TestDevice;
use ims_vfio::layout::{irq, irq_set};
use ims_vfio_user::layout::command;
use ims_vfio_user::{Limits, Server};
use peer::{Peer, Place, set};
use rustix::event::{EventfdFlags, eventfd};

/// Nanoseconds of CPU the server's thread has used.
fn used() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let server = tasks
        .map(|task| task.unwrap().path())
        .find(|task| std::fs::read_to_string(task.join("comm")).unwrap().trim() == "vfio-user")
        .expect("the server's thread");
    let statistics = std::fs::read_to_string(server.join("schedstat")).unwrap();
    statistics.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn an_eventfd_that_a_reset_took_away_is_not_looked_at_for_ever() {
    let place = Place::new("spin");
    let server = Server::start(Limits::default()).unwrap();
    server
        .listen(&place.0, Arc::new(TestDevice::new()))
        .unwrap();
    let mut peer = Peer::agreed(&place.0);
    let fd = || eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let unmask = fd();
    let by_eventfd = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    peer.set_irqs(set(by_eventfd, irq::INTX, 0, 1), &[], &[fd()])
        .unwrap();
    let by_eventfd = irq_set::DATA_EVENTFD | irq_set::ACTION_UNMASK;
    let theirs = unmask.try_clone().unwrap();
    peer.set_irqs(set(by_eventfd, irq::INTX, 0, 1), &[], &[theirs])
        .unwrap();
    peer.call(command::DEVICE_RESET, &[], &[]).unwrap();
    rustix::io::write(&unmask, &1u64.to_ne_bytes()).unwrap();
    let _ = peer.read_region(0, 0, 4).unwrap();
    let before = used();
    std::thread::sleep(Duration::from_millis(300));
    let spent = Duration::from_nanos(used() - before);
    // One that spins spends all of it.
    assert!(spent < Duration::from_millis(100), "{spent:?}");
}
