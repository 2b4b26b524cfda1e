# What the library VIT exports: what its installed headers declare, nothing of its insides.
execute_process(COMMAND "${NM}" --dynamic --defined-only --demangle "${VIT}"
                OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
foreach(wanted "vit::load\\(" "vit::VisionTransformerImpl::forward\\(" "typeinfo for vit::")
  if(NOT symbols MATCHES "${wanted}")
    message(FATAL_ERROR "${VIT} does not export ${wanted}")
  endif()
endforeach()
foreach(inside "[^\n]* vit::training::[^\n]*" "[^\n]*vit::ZipArchive[^\n]*" "[^\n]* hwy::[^\n]*")
  if(symbols MATCHES "${inside}")
    message(FATAL_ERROR "${VIT} exports ${CMAKE_MATCH_0}")
  endif()
endforeach()
