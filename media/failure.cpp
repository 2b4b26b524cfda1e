#include "media/failure.h"

#include <exception>
#include <new>

#include <c10/util/Exception.h>

#include <vit/error.h>

namespace media {

std::string failure_text(const std::string& name) {
  try {
    throw;
  } catch (const vit::Error& error) {  // names the picture itself
    return error.what();
  } catch (const std::bad_alloc&) {
    return name + ": out of memory";
  } catch (const c10::Error& error) {
    return name + ": " + error.what_without_backtrace();
  } catch (const std::exception& error) {
    return name + ": " + error.what();
  }
}

}  // namespace media
