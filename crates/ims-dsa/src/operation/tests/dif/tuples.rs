// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Single DIFs: which are checked, and what of them is passed on.
use super::*;

/// Checks one 512-byte block of zeroes with this DIF.
fn check(source: SourceDif, tuple: [u8; TUPLE_SIZE]) -> (Status, u8) {
    let space = Paged::new(1);
    space.put(512, &tuple);
    let form = Form {
        source,
        ..Form::new(0)
    };
    let outcome = form.run(&space, Opcode::DifCheck, 0, 0, 520);
    (outcome.status, outcome.result)
}

#[test]
fn a_dif_of_ones_is_not_checked_on_request() {
    let all = [0xff; 8];
    let tags = [0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let application = [0, 1, 0xff, 0xff, 0, 0, 0, 1];
    let none = [0, 1, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff];
    let (fine, wrong) = ((Status::Success, 0), |bits| (Status::DifError, bits));
    let flags = SourceDif::new();
    for (flags, tuple, expected) in [
        (flags, all, wrong(7)),
        (flags.with_all_f(true), all, fine),
        (flags.with_all_f(true), tags, wrong(7)),
        (flags.with_tags_f(true), all, fine),
        (flags.with_tags_f(true), tags, fine),
        (flags.with_tags_f(true), application, wrong(7)),
        (flags.with_application_f(true), all, fine),
        (flags.with_application_f(true), application, fine),
        (flags.with_application_f(true), none, wrong(7)),
        // It is an error only if it is looked for; then above all else.
        (flags.with_all_f_is_error(true), all, wrong(7)),
        (
            flags.with_all_f_is_error(true).with_all_f(true),
            all,
            wrong(8),
        ),
        (
            flags
                .with_all_f_is_error(true)
                .with_all_f(true)
                .with_application_f(true),
            all,
            wrong(8),
        ),
        (
            flags
                .with_all_f_is_error(true)
                .with_all_f(true)
                .with_tags_f(true),
            tags,
            fine,
        ),
    ] {
        assert_eq!(check(flags, tuple), expected, "{flags:?} {tuple:x?}");
    }
}

#[test]
fn an_update_takes_from_the_source_what_it_is_told_to() {
    let space = Paged::new(PAGES);
    // Nothing of the source's DIF is checked, so that it may be anything.
    let mut form = Form::new(0);
    form.source = SourceDif::new()
        .with_guard_unchecked(true)
        .with_reference_unchecked(true);
    form.source_tags = Tags::new().with_mask(0xffff);
    form.destination_tags = Tags::new()
        .with_application(0x1234)
        .with_mask(0x0f00)
        .with_reference(9);
    let source = Tuple::read_from_bytes(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    space.put(FROM, &[0x55; 512]);
    space.put(FROM + 512, source.as_bytes());
    for flags in 0..8u8 {
        let [guard, application, reference] = [1, 2, 4].map(|bit| flags & bit != 0);
        form.destination = DestinationDif::new()
            .with_guard_passes(guard)
            .with_application_passes(application)
            .with_reference_passes(reference);
        let outcome = form.run(&space, Opcode::DifUpdate, FROM, TO, 520);
        assert_eq!(outcome.status, Status::Success);
        let made = Tuple::read_from_bytes(&space.get(TO + 512, 8)).unwrap();
        assert_eq!(
            made.guard.get(),
            if guard { 0x0102 } else { crc(0, &[0x55; 512]) }
        );
        assert_eq!(
            made.application.get(),
            if application { 0x0304 } else { 0x1034 }
        );
        assert_eq!(
            made.reference.get(),
            if reference { 0x0506_0708 } else { 9 }
        );
    }
}

#[test]
fn a_record_has_the_tags_of_source_and_destination_apart() {
    let space = Paged::new(PAGES);
    let mut form = Form::new(1);
    form.source = SourceDif::new()
        .with_guard_unchecked(true)
        .with_reference_unchecked(true)
        .with_application_increments(true);
    form.source_tags = Tags::new()
        .with_mask(0xffff)
        .with_reference(0x10)
        .with_application(0xffff);
    form.destination = DestinationDif::new()
        .with_reference_fixed(true)
        .with_application_increments(true);
    form.destination_tags = Tags::new()
        .with_mask(1)
        .with_reference(0x20)
        .with_application(0x30);
    let outcome = form.run(&space, Opcode::DifUpdate, FROM, TO, 3 * 528);
    let (source, destination) = (Tags::from(outcome.value), Tags::from(outcome.tail));
    assert_eq!(
        source,
        form.source_tags.with_reference(0x13).with_application(2)
    );
    assert_eq!(destination, form.destination_tags.with_application(0x33));
}
