// Scans a code with the camera into a field: `<button type="button" data-camera="FIELD-ID">`. The field's form is sent with what was read.
"use strict";
(() => {
  const { say, tell } = self.page;
  const FORMATS = ["qr_code", "ean_13", "ean_8", "upc_a", "code_128", "data_matrix"];

  const scan = async (field) => {
    if (!("BarcodeDetector" in self) || !navigator.mediaDevices) { tell(say("no-camera"), "warn"); field.focus(); return; }
    let stream = null;
    const box = document.createElement("dialog");
    const video = document.createElement("video");
    const close = document.createElement("button");
    try {
      const known = await self.BarcodeDetector.getSupportedFormats();
      const formats = FORMATS.filter((format) => known.includes(format));
      if (!formats.length) { tell(say("no-camera"), "warn"); field.focus(); return; }
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      const detector = new self.BarcodeDetector({ formats });
      box.setAttribute("aria-label", say("camera-on"));
      video.muted = true;
      video.playsInline = true;
      video.className = "camera";
      close.textContent = say("cancel");
      box.append(video, close);
      document.body.append(box);
      let open = true;
      const end = () => { open = false; };
      close.addEventListener("click", end);
      box.addEventListener("cancel", end);
      box.showModal();
      video.srcObject = stream;
      await video.play();
      while (open) {
        const found = await detector.detect(video);
        if (found.length) {
          field.value = found[0].rawValue;
          if (navigator.vibrate) navigator.vibrate(60);
          break;
        }
        await new Promise((later) => setTimeout(later, 150));
      }
    } catch (e) {
      tell(say("camera-refused"), "warn");
    } finally {
      if (stream) for (const track of stream.getTracks()) track.stop();
      if (box.open) box.close();
      box.remove();
    }
    field.focus();
    if (field.value && field.form) field.form.requestSubmit();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-camera]");
    const field = button && document.getElementById(button.dataset.camera);
    if (field) scan(field);
  });
})();
