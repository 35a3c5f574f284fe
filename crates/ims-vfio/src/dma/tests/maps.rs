// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Mapping and unmapping, against a plain list.

use proptest::prelude::*;
use rustix::io::Errno;

use super::*;

#[test]
fn what_cannot_be_mapped_or_unmapped_is_refused_and_changes_nothing() {
    let dma = Dma::with_limit(2);
    let ram = Ram::new(0x2000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    let table = [
        (map(0x1fff, 1, &ram, 0), MapError::Overlap),
        (map(0, 0x1001, &ram, 0), MapError::Overlap),
        (map(0x800, 0x2000, &ram, 0), MapError::Overlap),
        (map(0x1800, 1, &ram, 0), MapError::Overlap),
        (map(0x5000, 0, &ram, 0), MapError::Range),
        (by_message(u64::MAX, 2), MapError::Range),
        (by_message(2, u64::MAX), MapError::Range),
        (map(0x5000, 0x2001, &ram, 0), MapError::Memory),
        (map(0x5000, 0x1000, &ram, 0x1001), MapError::Memory),
        (map(0x5000, 0x1000, &ram, u64::MAX), MapError::Memory),
    ];
    for (wrong, error) in table {
        assert_eq!(dma.map(wrong.clone()), Err(error), "{wrong:?}");
    }
    let hold = Told::default();
    for (address, size, error) in [
        (0x1000, 0xfff, MapError::NoSuchMap),
        (0x1001, 0xfff, MapError::NoSuchMap),
        (0x1000, 0x1001, MapError::NoSuchMap),
        (0x2000, 0x1000, MapError::NoSuchMap),
        (0x1000, 0, MapError::Range),
        (0x1000, u64::MAX, MapError::Range),
    ] {
        assert_eq!(dma.unmap(address, size, hold.hold()), Err(error));
    }
    assert_eq!(dma.maps(), 1);
    // The last address is as good as any.
    dma.map(by_message(u64::MAX, 1)).unwrap();
    assert_eq!(dma.map(map(0, 1, &ram, 0)), Err(MapError::TooMany));
    dma.unmap(u64::MAX, 1, hold.hold()).unwrap();
    dma.unmap(0x1000, 0x1000, hold.hold()).unwrap();
    assert_eq!(dma.maps(), 0);
}

#[test]
fn each_refusal_has_the_errno_a_client_expects() {
    assert_eq!(MapError::Overlap.errno(), Errno::EXIST);
    assert_eq!(MapError::NoSuchMap.errno(), Errno::INVAL);
    assert_eq!(MapError::Range.errno(), Errno::INVAL);
    assert_eq!(MapError::TooMany.errno(), Errno::NOSPC);
}

/// Few addresses, at the end of all there are, so that ranges meet and wrap.
const BASE: u64 = u64::MAX - 95;

#[derive(Debug, Clone)]
enum Step {
    Map {
        at: u64,
        size: u64,
        offset: u64,
        access: Access,
    },
    Unmap {
        at: u64,
        size: u64,
    },
    UnmapAny(prop::sample::Index),
    UnmapAll,
    Read {
        at: u64,
        length: usize,
    },
    Write {
        at: u64,
        length: usize,
        byte: u8,
    },
    Window {
        at: u64,
        length: usize,
        wanted: Access,
    },
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![
        1 => Just(Access::READ),
        1 => Just(Access::WRITE),
        3 => Just(Access::READ_WRITE)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0u64..96;
    prop_oneof![
        6 => (at(), 0u64..24, 0u64..130, access())
            .prop_map(|(at, size, offset, access)| Step::Map { at, size, offset, access }),
        1 => (at(), 0u64..24).prop_map(|(at, size)| Step::Unmap { at, size }),
        2 => any::<prop::sample::Index>().prop_map(Step::UnmapAny),
        1 => Just(Step::UnmapAll),
        6 => (at(), 0usize..64).prop_map(|(at, length)| Step::Read { at, length }),
        6 => (at(), 0usize..64, any::<u8>())
            .prop_map(|(at, length, byte)| Step::Write { at, length, byte }),
        4 => (at(), 1usize..64, access())
            .prop_map(|(at, length, wanted)| Step::Window { at, length, wanted }),
    ]
}

/// What a plain list says.
#[derive(Default)]
struct Model {
    maps: Vec<(u64, u64, u64, Access)>,
    bytes: Vec<u8>,
}

impl Model {
    fn map(&mut self, at: u64, size: u64, offset: u64, access: Access) -> Result<(), MapError> {
        if size == 0 || u128::from(BASE) + u128::from(at + size) > 1 << 64 {
            return Err(MapError::Range);
        }
        if offset + size > self.bytes.len() as u64 {
            return Err(MapError::Memory);
        }
        if self
            .maps
            .iter()
            .any(|map| at < map.0 + map.1 && map.0 < at + size)
        {
            return Err(MapError::Overlap);
        }
        self.maps.push((at, size, offset, access));
        Ok(())
    }

    /// The byte of memory that each byte of an access is.
    fn places(&self, at: u64, length: usize, wanted: Access) -> Result<Vec<usize>, DmaError> {
        if length > 0 && at + length as u64 > 96 {
            return Err(DmaError::Wraps);
        }
        (at..at + length as u64)
            .map(|at| self.place(at, wanted))
            .collect()
    }

    fn place(&self, at: u64, wanted: Access) -> Result<usize, DmaError> {
        let address = BASE + at;
        let map = self
            .maps
            .iter()
            .find(|map| (map.0..map.0 + map.1).contains(&at));
        let map = map.ok_or(DmaError::Unmapped { address })?;
        if !map.3.allows(wanted) {
            return Err(DmaError::Denied { address });
        }
        Ok(usize::try_from(map.2 + at - map.0).unwrap())
    }
}

proptest! {
    #[test]
    fn maps_and_accesses_do_what_a_plain_list_says(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let dma = allowed();
        let ram = Ram::new(128);
        let mut model = Model { bytes: vec![0; 128], ..Model::default() };
        let mut session = dma.session().unwrap();
        let mut asked = 0;
        let told = Told::default();
        for step in steps {
            match step {
                Step::Map { at, size, offset, access } => {
                    let mut map = map(BASE + at, size, &ram, offset);
                    map.access = access;
                    prop_assert_eq!(dma.map(map), model.map(at, size, offset, access));
                }
                Step::Unmap { at, size } => {
                    let there = model.maps.iter().position(|map| (map.0, map.1) == (at, size));
                    let wrong = size == 0 || at + size > 96;
                    let expected = if wrong {
                        Err(MapError::Range)
                    } else if there.is_some() {
                        Ok(())
                    } else {
                        Err(MapError::NoSuchMap)
                    };
                    asked += 1;
                    prop_assert_eq!(dma.unmap(BASE + at, size, told.hold()), expected);
                    if let Some(there) = there {
                        model.maps.remove(there);
                    }
                }
                Step::UnmapAny(which) => {
                    if !model.maps.is_empty() {
                        let map = model.maps.remove(which.index(model.maps.len()));
                        asked += 1;
                        prop_assert_eq!(dma.unmap(BASE + map.0, map.1, told.hold()), Ok(()));
                    }
                }
                Step::UnmapAll => {
                    asked += 1;
                    dma.unmap_all(told.hold());
                    prop_assert_eq!(told.times(), asked - 1, "the session is there yet");
                    prop_assert_eq!(session.read(BASE, &mut [0]), Err(DmaError::Ended));
                    session = dma.session().unwrap();
                    model.maps.clear();
                }
                Step::Read { at, length } => {
                    let mut data = vec![0xee; length];
                    let expected = model.places(at, length, Access::READ);
                    prop_assert_eq!(session.read(BASE + at, &mut data), expected.clone().map(|_| ()));
                    match expected {
                        Ok(places) => {
                            let expected: Vec<u8> =
                                places.iter().map(|place| model.bytes[*place]).collect();
                            prop_assert_eq!(data, expected);
                        }
                        Err(_) => prop_assert!(data.iter().all(|byte| *byte == 0xee)),
                    }
                }
                Step::Write { at, length, byte } => {
                    let data: Vec<u8> = (byte..=u8::MAX).chain(0..).take(length).collect();
                    let expected = model.places(at, length, Access::WRITE);
                    prop_assert_eq!(session.write(BASE + at, &data), expected.clone().map(|_| ()));
                    for (place, byte) in expected.unwrap_or_default().iter().zip(&data) {
                        model.bytes[*place] = *byte;
                    }
                }
                Step::Window { at, length, wanted } => {
                    let expected = model.place(at, wanted).map(|_| {
                        let map = model.maps.iter().find(|map| (map.0..map.0 + map.1).contains(&at));
                        let map = map.unwrap();
                        length.min(usize::try_from(map.0 + map.1 - at).unwrap())
                    });
                    let window = session.window(BASE + at, length, wanted);
                    prop_assert_eq!(window.map(|window| window.len()), expected);
                }
            }
            prop_assert_eq!(dma.maps(), model.maps.len());
            prop_assert_eq!(told.times(), asked, "nobody is inside, so all are told");
            prop_assert_eq!(ram.bytes(), model.bytes.clone());
        }
    }
}
