//! The server's side.

use super::connection::Purpose;
use crate::launch::guard::follow_order;
use crate::launch::order::{Failure, Report};
use crate::launch::{child, guard};
use crate::sys::channel::{Channel, Received};
use crate::sys::zygote::{self, Side, Slots, Zygote};
use crate::sys::{Object, ambient, process, runtime};
use crate::wire::codec::{Codec, Wire};
use crate::wire::envelope;
use crate::wire::parcel::Parcel;

/// Serves until the starter is gone: in the server this never returns, and in its clones neither.
pub(crate) fn serve(control: Channel, objects: Vec<Object>) -> ! {
    let prepared = prepare(objects).and_then(|prepared| {
        let ambient = Wire::encode(child::remember_server()).map_err(std::io::Error::other)?;
        Ok((prepared, ambient))
    });
    let ((zygote, slots), ambient) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => child::refuse(&control, Failure::Setup(error.to_string())),
    };
    if envelope::send(&control, &Report::Done, &ambient.into(), &[]).is_err() {
        runtime::exit_now(guard::BOOT_FAILURE);
    }
    loop {
        // Whatever is wrong with the control channel, the starter sees the server's end and makes another.
        let Ok(Received::Message(message)) = control.receive() else { runtime::exit_now(0) };
        let (&[low, high, purpose], Some(object)) =
            (message.bytes.as_slice(), message.objects.into_iter().next())
        else {
            runtime::exit_now(guard::BOOT_FAILURE)
        };
        let Ok(channel) = Channel::from_object(object) else { runtime::exit_now(guard::BOOT_FAILURE) };
        let slot = u16::from_le_bytes([low, high]);
        let told = match zygote.clone(&slots, slot) {
            Ok(Side::Child) => {
                drop(control);
                slots.forget_in_clone();
                if purpose == Purpose::Spare as u8 {
                    child::rehearse();
                }
                follow_order(channel)
            }
            Ok(Side::Server(_)) if slots.is_seen(slot) => Ok(()),
            Ok(Side::Server(handle)) => envelope::send(
                &channel,
                &Report::Born(handle.pid()),
                &Parcel::default(),
                &[zygote::as_object(&handle)],
            ),
            Err(error) => envelope::send(
                &channel,
                &Report::NotBorn(error.raw_os_error().unwrap_or(0)),
                &Parcel::default(),
                &[],
            ),
        };
        // A starter that is gone shows on the control channel too.
        let _starter_gone = told.is_err();
    }
}

fn prepare(mut objects: Vec<Object>) -> std::io::Result<(Zygote, Slots)> {
    let idle = usize::from(guard::reentry().is_ok_and(|reentry| reentry.harness));
    let zygote = Zygote::new(idle)?;
    let births = objects.pop().ok_or(std::io::ErrorKind::InvalidData)?;
    let slots = Slots::map(&births)?;
    slots.keep_from_clones()?;
    process::set_title("offspring-fork");
    child::prepare_clones();
    // The server holds none of the starter's streams, nor its directory: others may wait for their end.
    ambient::enter(&ambient::directory("/".as_ref())?)?;
    let null = ambient::null_device()?;
    ambient::install_standard([Some(null.try_clone()?), Some(null.try_clone()?), Some(null)])?;
    Ok((zygote, slots))
}
