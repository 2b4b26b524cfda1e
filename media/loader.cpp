#include "media/loader.h"

#include <algorithm>
#include <new>
#include <utility>

#include <c10/util/Exception.h>

#include <media/image.h>
#include <media/preprocess.h>
#include <vit/error.h>

namespace media {

ImageLoader::ImageLoader(std::vector<Source> sources, vit::Preprocessing how)
    : ImageLoader(std::move(sources), std::move(how), Options{}) {}

ImageLoader::ImageLoader(std::vector<Source> sources, vit::Preprocessing how, Options options)
    : sources_(std::move(sources)),
      how_(std::move(how)),
      ring_(std::max<size_t>(1, options.prefetch)) {
  how_.validate(3);
  const size_t useful = std::min(ring_.size(), std::max<size_t>(1, sources_.size()));
  const size_t count = std::clamp<size_t>(options.workers, 1, useful);
  for (size_t i = 0; i < count; ++i)
    workers_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
}

LoadedImage ImageLoader::load(const Source& source) const {
  LoadedImage image{source.path, {}, source.error};
  if (!image.error.empty()) return image;
  const std::string name = source.path.string();
  try {
    image.pixels = preprocess(read_image(source.path), how_);
  } catch (const vit::Error& error) {
    image.error = error.what();
  } catch (const std::bad_alloc&) {
    image.error = name + ": out of memory";
  } catch (const c10::Error& error) {
    image.error = name + ": " + error.what_without_backtrace();
  } catch (const std::exception& error) {
    image.error = name + ": " + error.what();
  }
  return image;
}

void ImageLoader::work(std::stop_token stop) {
  const auto done = [&] { return begun_ == sources_.size(); };
  const auto awake = [&] { return done() || begun_ - taken_ < ring_.size(); };
  std::unique_lock lock(mutex_);
  while (room_.wait(lock, stop, awake) && !stop.stop_requested() && !done()) {
    const size_t index = begun_++;
    lock.unlock();
    LoadedImage image = load(sources_[index]);
    lock.lock();
    ring_[index % ring_.size()] = std::move(image);
    ready_.notify_one();
  }
}

std::optional<LoadedImage> ImageLoader::next() {
  std::unique_lock lock(mutex_);
  if (taken_ == sources_.size()) return std::nullopt;
  auto& place = ring_[taken_ % ring_.size()];
  ready_.wait(lock, [&] { return place.has_value(); });
  std::optional<LoadedImage> image = std::exchange(place, std::nullopt);
  ++taken_;
  room_.notify_all();
  return image;
}

}  // namespace media
