// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vector 0, which software raises: nothing is lost, nothing comes twice.

use std::os::fd::OwnedFd;

use ims_vfio::irqs::{Lines, Payload, SetIrqs};
use ims_vfio::layout::irq_set;
use proptest::prelude::*;
use rustix::event::{EventfdFlags, eventfd};

use super::*;

/// The interrupts of a function with one vector that has a trigger; its other end.
fn triggered() -> (Irqs, OwnedFd) {
    let irqs = Irqs::new(Lines::msix(1), None).unwrap();
    let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let header = SetIrqs {
        argsz: 20,
        flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
        index: irq::MSIX,
        start: 0,
        count: 1,
    };
    let payload = Payload::Triggers(vec![Some(fd.try_clone().unwrap())]);
    irqs.set(header, payload).unwrap();
    (irqs, fd)
}

fn signals(fd: &OwnedFd) -> u64 {
    let mut count = [0; 8];
    rustix::io::read(fd, &mut count).map_or(0, |_| u64::from_ne_bytes(count))
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Raise,
    Mask(bool),
    Address(u32),
    Control(MsixControl),
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Raise),
        2 => any::<bool>().prop_map(Step::Mask),
        1 => any::<u32>().prop_map(Step::Address),
        2 => any::<(bool, bool)>().prop_map(|(enabled, masked)| {
            Step::Control(MsixControl { enabled, masked })
        }),
        1 => Just(Step::Reset),
    ]
}

/// What a guest and its client have shown, told in other words.
#[derive(Debug, Default)]
struct Model {
    /// What the last store to the entry left its mask as.
    entry: Option<bool>,
    /// What message control was last seen as, and whether MSI-X was ever on.
    function: Option<(MsixControl, bool)>,
    pending: bool,
    signals: u64,
}

impl Model {
    fn masked(&self) -> bool {
        let function = self
            .function
            .is_some_and(|(now, ever)| now.masked || ever && !now.enabled);
        function || self.entry == Some(true)
    }

    fn settle(&mut self) {
        if self.pending && !self.masked() {
            self.pending = false;
            self.signals += 1;
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Raise => self.pending = true,
            Step::Mask(masked) => self.entry = Some(masked),
            Step::Address(_) => self.entry = Some(self.entry.unwrap_or(true)),
            Step::Control(now) => {
                let ever = self.function.is_some_and(|(_, ever)| ever);
                self.function = Some((now, ever || now.enabled));
            }
            Step::Reset => {
                let signals = self.signals;
                *self = Self {
                    signals,
                    ..Self::default()
                };
            }
        }
        self.settle();
    }
}

proptest! {
    #[test]
    fn vector_0_signals_as_often_as_a_table_of_one_entry_would(steps in prop::collection::vec(step(), 1..80)) {
        let (irqs, fd) = triggered();
        let (msix, mut model) = (Msix::new(1), Model::default());
        let mut seen = 0;
        for step in steps {
            match step {
                Step::Raise => msix.raise(&irqs),
                Step::Mask(masked) => msix.write(MSIX_TABLE + 12, masked.into(), &irqs),
                Step::Address(value) => msix.write(MSIX_TABLE, value, &irqs),
                Step::Control(control) => msix.control(control, &irqs),
                Step::Reset => msix.reset(&irqs),
            }
            model.take(step);
            seen += signals(&fd);
            prop_assert_eq!(seen, model.signals);
            prop_assert_eq!(msix.read(MSIX_PENDING, &irqs), u32::from(model.pending));
            prop_assert_eq!(msix.is_masked(0), model.masked());
            let shown = msix.read(MSIX_TABLE + 12, &irqs);
            prop_assert_eq!(shown, u32::from(model.entry.unwrap_or(true)));
        }
        let counts = msix.counts();
        let pending = u64::from(model.pending);
        prop_assert_eq!(counts.raised, counts.delivered + counts.coalesced + counts.dropped + pending);
    }

    #[test]
    fn any_access_to_any_place_is_taken(offset in any::<u64>(), value in any::<u32>(), vectors in 1..=2048u16) {
        let (irqs, _fd) = triggered();
        let msix = Msix::new(vectors);
        msix.write(offset & !3, value, &irqs);
        let _ = msix.read(offset & !3, &irqs);
        let near = MSIX_TABLE + offset % 0x9000;
        msix.write(near & !3, value, &irqs);
        let _ = msix.read(near & !3, &irqs);
    }
}
