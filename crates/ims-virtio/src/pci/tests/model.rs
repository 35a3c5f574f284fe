// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vectors, interrupt status and the pin against a plain model.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    MapQueue(u16, u16),
    MapConfig(u16),
    Tell(Event),
    ReadIsr,
    Msix(bool),
    Go,
    Reset,
    ResetFunction,
}

fn vectors() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0..VECTORS + 2, 1 => Just(0xffff)]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u16, vectors()).prop_map(|(queue, vector)| Step::MapQueue(queue, vector)),
        2 => vectors().prop_map(Step::MapConfig),
        8 => (0..4_u16).prop_map(|queue| Step::Tell(Event::Used(queue))),
        3 => Just(Step::Tell(Event::Config)),
        3 => Just(Step::ReadIsr),
        2 => any::<bool>().prop_map(Step::Msix),
        2 => Just(Step::Go),
        1 => Just(Step::Reset),
        1 => Just(Step::ResetFunction),
    ]
}

/// What the specification says, as plainly as can be.
#[derive(Debug, Default)]
struct Model {
    config: Option<u16>,
    queues: [Option<u16>; 3],
    live: bool,
    msix: bool,
    isr: u8,
    raised: Vec<u16>,
}

fn in_range(vector: u16) -> Option<u16> {
    (vector < VECTORS).then_some(vector)
}

impl Model {
    fn tell(&mut self, event: Event) {
        if !self.live {
            return;
        }
        let (bit, vector) = match event {
            Event::Used(queue) => (
                isr::QUEUE,
                self.queues.get(usize::from(queue)).copied().flatten(),
            ),
            Event::Config => (isr::CONFIG, self.config),
        };
        if !self.msix || bit == isr::CONFIG {
            self.isr |= bit;
        }
        if self.msix {
            self.raised.extend(vector);
        }
    }

    fn reset(&mut self) {
        *self = Self {
            msix: self.msix,
            raised: std::mem::take(&mut self.raised),
            ..Self::default()
        };
    }
}

proptest! {
    #[test]
    fn vectors_status_and_pin_are_those_of_the_model(
        steps in proptest::collection::vec(steps(), 1..80)
    ) {
        let test = Test::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::MapQueue(queue, vector) => {
                    let read = test.map_queue(queue, vector.into());
                    if let Some(place) = model.queues.get_mut(usize::from(queue)) {
                        *place = in_range(vector);
                        prop_assert_eq!(read, u64::from(place.unwrap_or(0xffff)));
                    } else {
                        prop_assert_eq!(read, NO_VECTOR);
                    }
                }
                Step::MapConfig(vector) => {
                    model.config = in_range(vector);
                    let read = test.map_config(vector.into());
                    prop_assert_eq!(read, u64::from(model.config.unwrap_or(0xffff)));
                }
                // A device tells of the queues it has.
                Step::Tell(Event::Used(3)) => test.tell(Event::Used(3)),
                Step::Tell(event) => {
                    test.tell(event);
                    model.tell(event);
                }
                Step::ReadIsr => prop_assert_eq!(test.isr(), std::mem::take(&mut model.isr)),
                Step::Msix(enabled) => {
                    test.pci.set_msix_enabled(enabled);
                    model.msix = enabled;
                }
                Step::Go if !model.live => {
                    test.go();
                    model.live = true;
                }
                Step::Go => {}
                Step::Reset => {
                    test.set_status(0);
                    model.reset();
                }
                Step::ResetFunction => {
                    test.pci.reset(Hold::nobody());
                    model.reset();
                }
            }
            prop_assert_eq!(test.level(), model.isr != 0 && !model.msix);
            prop_assert_eq!(&*test.world.raised.lock().unwrap(), &model.raised);
        }
    }
}
