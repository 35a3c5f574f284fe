// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vectors, their masks, and eventfds that are signalled.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::os::fd::OwnedFd;
use std::thread;

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines, Payload, SetIrqs};
use ims_vfio::layout::irq_set;
use ims_vfio::pci::layout::msix;
use ims_vfio::pci::{Bar, Config, Identity, MsixPlace};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, dup, read};

use super::*;

static ALIVE: AtomicBool = AtomicBool::new(true);
const VECTORS: u16 = 70;
/// Message control of MSI-X, the first capability.
const CONTROL: u64 = 0x42;

struct Setup {
    vectors: Vectors,
    function: Arc<Function>,
    fds: Vec<OwnedFd>,
}

impl Setup {
    fn new(by_request: bool) -> Self {
        let place = MsixPlace {
            table: (0, 0),
            pba: (0, 0x800),
        };
        let function = Arc::new(Function {
            config: Config::builder(Identity::default())
                .bar(0, Bar::memory32(0x1000))
                .msix(VECTORS, place)
                .build()
                .unwrap(),
            irqs: Irqs::new(Lines::msix(VECTORS), None).unwrap(),
            dma: Dma::default(),
        });
        let fds: Vec<OwnedFd> = (0..VECTORS)
            .map(|_| eventfd(0, EventfdFlags::NONBLOCK).unwrap())
            .collect();
        let given = fds.iter().map(|fd| Some(dup(fd).unwrap())).collect();
        let header = SetIrqs {
            argsz: irq_set::HEADER,
            flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
            index: irq::MSIX,
            start: 0,
            count: VECTORS.into(),
        };
        let payload = Payload::Triggers(given);
        function.irqs.set(header, payload).unwrap();
        Self {
            vectors: Vectors::new(VECTORS, by_request, Arc::clone(&function)),
            function,
            fds,
        }
    }

    fn raise(&self, handle: u16) {
        self.vectors.raise(handle, None, &ALIVE).unwrap();
    }

    /// How often a vector was signalled since this was last asked.
    fn signals(&self, vector: usize) -> u64 {
        let mut count = [0; 8];
        match read(&self.fds[vector], &mut count) {
            Ok(_) => u64::from_ne_bytes(count),
            Err(Errno::AGAIN) => 0,
            Err(error) => panic!("{error}"),
        }
    }

    fn mask(&self, vector: u64, on: bool) {
        self.vectors.write_table(vector * 4 + 3, u32::from(on));
    }

    /// As a write to config space comes to the device.
    fn control(&self, bits: u16) {
        let effects = self.function.config.write(CONTROL, &bits.to_le_bytes());
        if effects.msix.is_some() {
            self.vectors.settle_all();
        }
    }

    fn raises(&self, index: u16) -> crate::physical::Raises {
        let reports = self.vectors.report();
        let report = reports.iter().find(|report| report.index == index);
        report.unwrap().raises
    }
}

#[test]
fn a_client_that_keeps_the_table_itself_gets_every_raise() {
    let setup = Setup::new(false);
    assert_eq!(setup.vectors.read_table(5 * 4 + 3), 1, "reads as masked");
    setup.raise(5);
    setup.vectors.raise_misc();
    setup.vectors.raise_misc();
    assert_eq!((setup.signals(5), setup.signals(0)), (1, 2));
    assert_eq!(setup.raises(0).delivered, 2);
}

#[test]
fn a_mask_that_was_written_holds_raises_until_it_goes() {
    let setup = Setup::new(false);
    setup.mask(65, true);
    setup.raise(65);
    setup.raise(65);
    assert_eq!(setup.signals(65), 0);
    assert_eq!(setup.vectors.read_pending(65 / 32), 1 << (65 % 32));
    assert_eq!(setup.vectors.read_pending(0), 0);
    setup.mask(65, false);
    assert_eq!(setup.signals(65), 1);
    assert_eq!(setup.vectors.read_pending(65 / 32), 0);
    setup.mask(65, false);
    assert_eq!(setup.signals(65), 0);
    let raises = setup.raises(65);
    assert_eq!((raises.raised, raises.held, raises.coalesced), (2, 1, 1));
    assert_eq!(raises.delivered, 1);
}

#[test]
fn the_function_mask_holds_all_vectors_while_msix_is_enabled() {
    let setup = Setup::new(false);
    setup.control(msix::FUNCTION_MASK);
    setup.raise(1);
    assert_eq!(setup.signals(1), 1, "MSI-X is not enabled");
    setup.control(msix::ENABLE | msix::FUNCTION_MASK);
    setup.mask(2, true);
    for vector in [1, 2, 69] {
        setup.raise(vector);
    }
    setup.mask(2, true);
    assert_eq!(setup.vectors.read_pending(0), 0b110);
    assert_eq!(setup.vectors.read_pending(2), 1 << 5);
    setup.control(msix::ENABLE);
    assert_eq!([1, 2, 69].map(|vector| setup.signals(vector)), [1, 0, 1]);
    setup.mask(2, false);
    assert_eq!(setup.signals(2), 1);
}

#[test]
fn permissions_and_handles_say_who_raises_what() {
    let setup = Setup::new(true);
    let vectors = &setup.vectors;
    let (seven, eight) = (Pasid::new(7), Pasid::new(8));
    let handle = vectors.request(3).unwrap();
    assert_eq!(vectors.check(handle, None), Ok(()));
    assert_eq!(vectors.check(4, None), Err(NotValid), "never requested");
    // Reserved bits and the second word are not kept.
    vectors.write_permission(3 * 2, 7 << 12 | 0xf8b);
    vectors.write_permission(3 * 2 + 1, u32::MAX);
    assert_eq!(vectors.read_permission(3 * 2), 7 << 12 | 8);
    assert_eq!(vectors.read_permission(3 * 2 + 1), 0);
    assert_eq!(vectors.check(handle, seven), Ok(()));
    for (handle, pasid) in [(handle, None), (handle, eight), (70, seven)] {
        assert_eq!(vectors.check(handle, pasid), Err(NotValid));
        assert_eq!(vectors.raise(handle, pasid, &ALIVE), Err(NotValid));
    }
    vectors.write_permission(3 * 2, 1 << 2);
    assert_eq!(vectors.check(handle, None), Err(NotValid));
    assert_eq!((vectors.revoke_all(), vectors.revoke_all()), (1, 0));
    assert_ne!(vectors.request(3).unwrap(), handle);
    assert_eq!(vectors.request(70), Err(CommandError::InvalidInterrupt));
    assert_eq!(setup.signals(3), 0);
}

#[test]
fn a_vector_without_a_trigger_is_refused_and_said_to_be() {
    let setup = Setup::new(false);
    setup.function.irqs.reset();
    setup.raise(1);
    let raises = setup.raises(1);
    assert_eq!((raises.delivered, raises.refused), (0, 1));
    assert_eq!(raises.last_refusal, Some(Refusal::NoTrigger));
}

#[test]
fn what_lies_outside_reads_as_zero_and_a_reset_forgets() {
    let setup = Setup::new(false);
    let vectors = &setup.vectors;
    vectors.write_table(4, 0xfee0_1000);
    vectors.write_table(6, 9);
    vectors.write_table(7, u32::MAX);
    assert_eq!(
        [4, 6, 7].map(|word| vectors.read_table(word)),
        [0xfee0_1000, 9, 1]
    );
    setup.raise(1);
    for word in [u64::from(VECTORS) * 4, u64::MAX / 4, u64::MAX] {
        vectors.write_table(word, u32::MAX);
        vectors.write_permission(word, u32::MAX);
        assert_eq!(vectors.read_table(word), 0);
        assert_eq!(vectors.read_permission(word), 0);
        assert_eq!(vectors.read_pending(word), 0);
    }
    vectors.reset();
    assert_eq!([4, 6, 7].map(|word| vectors.read_table(word)), [0, 0, 1]);
    assert_eq!(vectors.read_pending(0), 0);
    setup.raise(1);
    assert_eq!(
        setup.signals(1),
        1,
        "what was pending is forgotten, the mask too"
    );
}

#[test]
fn no_raise_is_lost_between_masks_of_vector_and_function() {
    const ENGINES: u64 = 3;
    const EACH: u64 = 2000;
    let setup = Setup::new(false);
    thread::scope(|scope| {
        let engines: Vec<_> = (0..ENGINES)
            .map(|_| scope.spawn(|| (0..EACH).for_each(|_| setup.raise(1))))
            .collect();
        let mut round = 0u64;
        while !engines.iter().all(|engine| engine.is_finished()) {
            round += 1;
            setup.mask(1, round.is_multiple_of(2));
            let mask = if round.is_multiple_of(3) {
                msix::FUNCTION_MASK
            } else {
                0
            };
            setup.control(msix::ENABLE | mask);
            thread::yield_now();
        }
    });
    setup.mask(1, false);
    setup.control(msix::ENABLE);
    let raises = setup.raises(1);
    assert_eq!(raises.raised, ENGINES * EACH);
    assert_eq!(raises.delivered + raises.coalesced, raises.raised);
    assert_eq!(setup.signals(1), raises.delivered);
    assert_eq!(setup.vectors.read_pending(0), 0);
}
