// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whatever a client and its guest do, in any order: nothing panics, what is taken
//! away is let go, nothing is written outside the maps, and after a reset the device
//! works.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod bench;
mod memory;
mod steps;

use std::cell::Cell;
use std::sync::Arc;

use ims_dsa::adi::{AdiConfig, Parent, ParentConfig};
use ims_dsa::front::Parameters;
use ims_dsa::physical::{PhysicalConfig, PhysicalFunction};
use ims_vfio::Endpoint;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use bench::{Bench, Revoke};
use steps::step;

/// Runs `cases` random lives of devices that `make` makes. It says too how to revoke
/// a device's handles and count the descriptors it took, and whether it is to be
/// configured.
fn live(cases: u32, make: impl Fn() -> (Endpoint, Revoke, bool)) {
    let taken = Cell::new(0);
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let steps = prop::collection::vec(step(), 1..120);
    TestRunner::new(config)
        .run(&steps, |steps| {
            let (endpoint, revoke, configurable) = make();
            let mut bench = Bench::new(endpoint, revoke, configurable);
            bench.begin();
            for step in steps {
                bench.take(step);
                bench.memory.check_all();
            }
            bench.reset();
            bench.works();
            bench.detach();
            bench.works();
            taken.set(taken.get() + bench.revoke());
            Ok(())
        })
        .unwrap();
    // Two a life for `works`; the others met what the random steps had left.
    let taken = taken.get();
    assert!(taken > 4 * u64::from(cases), "only {taken} descriptors");
}

#[test]
fn a_physical_function_stays_whole() {
    live(100, || {
        let parameters = Parameters {
            queues: 2,
            engines: 2,
            groups: 2,
            ims_entries: 256,
            pasids: true,
            ..Parameters::default()
        };
        let config = PhysicalConfig {
            parameters,
            ..PhysicalConfig::default()
        };
        let function = PhysicalFunction::new(config).unwrap();
        let endpoint = Endpoint::new(Arc::clone(&function) as Arc<dyn ims_vfio::Device>);
        let revoke = Box::new(move || {
            function.revoke_handles();
            let queues = function.report().front.queues;
            queues.iter().map(|queue| queue.submitted).sum()
        });
        (endpoint, revoke, true)
    });
}

#[test]
fn a_virtual_device_stays_whole() {
    let parent = Parent::new(ParentConfig {
        engines: 2,
        ims_entries: 256,
        ..ParentConfig::default()
    })
    .unwrap();
    live(100, || {
        let config = AdiConfig {
            vectors: 4,
            queue_size: 8,
            ..AdiConfig::default()
        };
        let device = parent.compose(config).unwrap();
        let endpoint = Endpoint::new(Arc::clone(&device) as Arc<dyn ims_vfio::Device>);
        let revoke = Box::new(move || {
            device.revoke_handles();
            device.report().queue.submitted
        });
        (endpoint, revoke, false)
    });
    assert!(parent.list().is_empty());
}
