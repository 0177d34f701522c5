package mqtt

const victimFolder = "SIGHUB_MQTT_VICTIM"

func victim(string) {}
