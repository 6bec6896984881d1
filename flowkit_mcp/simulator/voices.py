"""The 30 preset voices (flow-wire §6.9): media whose id is a slug."""

VOICES = (
    "achernar achird algenib algieba alnilam aoede autonoe callirrhoe charon despina enceladus erinome "
    "fenrir gacrux iapetus kore laomedeia leda orus puck pulcherrima rasalgethi sadachbia sadaltager "
    "schedar sulafat umbriel vindemiatrix zephyr zubenelgenubi"
).split()
